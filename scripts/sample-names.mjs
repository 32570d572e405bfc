// The names of sample users, frequent ones first. They include several alphabets, accents, a blank and an
// apostrophe.

const words = (text) => text.trim().split(/\s*,\s*/);

export const FIRST_NAMES = words(`
  Maria, Anna, James, Mary, John, José, David, Michael, Sarah, Daniel, Emma, Olivia, Noah, Liam, Sofia, Lucas, Elena,
  Thomas, Laura, Peter, Julia, Martin, Lena, Paul, Eva, Max, Mia, Leo, Ana, Jan, Ivan, Nina, Carlos, Luis, Juan, Marta,
  Lucía, Antonio, Carmen, Pablo, Sara, Alejandro, Isabel, Javier, Paula, Miguel, Andrea, Marco, Giulia, Francesco, Chiara,
  Matteo, Alice, Lorenzo, Giorgia, Luca, Camille, Chloé, Léa, Manon, Hugo, Louis, Jules, Gabriel, Raphaël, Zoé, Élodie,
  François, Jérôme, Amélie, Benoît, Céline, Hélène, Noémie, Théo, Aurélie, Jörg, Jürgen, Käthe, Günter, Björn, Sören,
  Åsa, Håkan, Øyvind, Mads, Freja, Ida, Emil, Oskar, Elsa, Astrid, Erik, Lars, Nils, Karin, Ingrid, Saga, Aino, Eino,
  Väinö, Helmi, Onni, Łukasz, Paweł, Małgorzata, Agnieszka, Katarzyna, Piotr, Krzysztof, Magdalena, Tomáš, Jiří, Lukáš,
  Veronika, Zuzana, Ondřej, Barbora, István, László, Zsófia, Ágnes, Gábor, Ștefan, Ioana, Andrei, Mihai, Elif, Mehmet,
  Ayşe, Çağla, Özlem, Emre, Ahmed, Fatima, Omar, Layla, Yusuf, Aisha, Hassan, Zainab, Priya, Rahul, Anjali, Arjun, Divya,
  Rohan, Kavya, Wei, Li, Ming, Xin, Yuki, Haruto, Sakura, Ren, Aoi, Minjun, Jiwoo, Seoyeon, Linh, Minh, Thảo, Nguyệt,
  Kwame, Amina, Chidi, Ngozi, Thabo, Zanele, Kofi, Abena, Mateo, Valentina, Santiago, Camila, Thiago, João, Beatriz,
  Inês, Gonçalo, Rui, Tânia, Aoife, Seán, Niamh, Ciarán, Siobhán, Rhys, Cerys, Ewan, Isla, Fiona, Γιώργος, Ελένη, Νίκος,
  Иван, Ольга, Дмитрий, Наталья, Сергей, Олена, Тарас, 太郎, 花子, 美咲, 伟, 芳, 민준, 서연, Mary Jane, Jean-Luc, Anne-Marie,
  Xochitl, Quentin, Ulysses, Wilhelmina, Bartholomew, Philippa, Persephone, Zebulon`);

export const LAST_NAMES = words(`
  Smith, Garcia, Müller, Johnson, Martin, Silva, Rossi, Nguyen, Kowalski, Novák, Jensen, Hansen, Andersson, Virtanen,
  Williams, Brown, Jones, Miller, Davis, Rodríguez, Martínez, Hernández, López, González, Pérez, Sánchez, Ramírez, Torres,
  Flores, Rivera, Gómez, Díaz, Wilson, Anderson, Taylor, Moore, Jackson, Lee, Thompson, White, Harris, Clark, Lewis,
  Robinson, Walker, Young, Allen, King, Wright, Scott, Hill, Green, Adams, Nelson, Baker, Hall, Campbell, Mitchell, Carter,
  Roberts, Schmidt, Schneider, Fischer, Weber, Meyer, Wagner, Becker, Schulz, Hoffmann, Koch, Bauer, Richter, Klein, Wolf,
  Schröder, Neumann, Schwarz, Zimmermann, Braun, Krüger, Hofmann, Hartmann, Lange, Schäfer, Köhler, Weiß, Groß, Dubois,
  Durand, Leroy, Moreau, Simon, Laurent, Lefèvre, Michel, Fournier, Girard, Bonnet, Dupont, Lambert, Fontaine, Rousseau,
  Lefebvre, Mercier, Bianchi, Romano, Colombo, Ricci, Marino, Greco, Bruno, Gallo, Conti, Esposito, Ferrari, Russo, Costa,
  Santos, Oliveira, Souza, Pereira, Ferreira, Almeida, Gonçalves, Araújo, Ribeiro, Nowak, Wiśniewski, Wójcik, Kamiński,
  Lewandowski, Zieliński, Szymański, Dąbrowski, Kozłowski, Jankowski, Svoboda, Novotný, Dvořák, Černý, Procházka, Kučera,
  Horváth, Kovács, Szabó, Tóth, Nagy, Varga, Popescu, Ionescu, Popa, Yılmaz, Kaya, Demir, Çelik, Şahin, Öztürk, Nielsen,
  Pedersen, Larsen, Sørensen, Olsen, Johansen, Bakken, Karlsson, Nilsson, Eriksson, Lindström, Åberg, Korhonen, Mäkinen,
  Nieminen, Mäkelä, Hämäläinen, Jansen, de Vries, van den Berg, Bakker, Visser, Smit, Mulder, Peeters, Janssens, Maes,
  Singh, Kumar, Sharma, Patel, Gupta, Reddy, Khan, Ahmed, Ali, Hussain, Rahman, Chowdhury, Wang, Zhang, Chen, Liu, Yang,
  Huang, Zhao, Wu, Tanaka, Suzuki, Sato, Takahashi, Watanabe, Kim, Park, Choi, Jung, Trần, Lê, Phạm, Hoàng, Okafor,
  Adeyemi, Mensah, Dlamini, Nkosi, Mbeki, Abebe, Haile, O’Brien, O’Connor, Murphy, Kelly, Byrne, Ryan, Doyle, McCarthy,
  MacDonald, Stewart, Fraser, Evans, Davies, Llewellyn, Papadopoulos, Οικονόμου, Παπαδάκης, Иванова, Смирнов, Кузнецова,
  Шевченко, Коваленко, 山田, 佐藤, 鈴木, 王, 李, 张, 김, 박, Quetzalcoatl, Featherstonehaugh, Cholmondeley, Wolstenholme,
  Zygmuntowicz, Brzęczyszczykiewicz, Ó Súilleabháin`);
