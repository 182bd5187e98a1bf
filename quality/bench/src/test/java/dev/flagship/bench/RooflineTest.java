package dev.flagship.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.awt.geom.Rectangle2D;
import java.io.StringReader;
import java.util.Random;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import org.xml.sax.InputSource;

class RooflineTest {
    private static NodeList elements(Roofline roofline, String name) throws Exception {
        return DocumentBuilderFactory.newInstance()
                .newDocumentBuilder()
                .parse(new InputSource(new StringReader(roofline.svg())))
                .getElementsByTagName(name);
    }

    private static NodeList circles() throws Exception {
        var roofline = new Roofline("A <model>, 2 threads", 30);
        roofline.ceiling("FP32", 450);
        roofline.ceiling("int8", 1800);
        roofline.point("Flagship", "decode", 2, 58);
        roofline.point("Flagship", "prefill", 480, 900);
        roofline.point("llama.cpp", "decode, fa on", 2, 30);
        return elements(roofline, "circle");
    }

    private static double number(NodeList circles, int index, String attribute) {
        return Double.parseDouble(((Element) circles.item(index)).getAttribute(attribute));
    }

    @Test
    void aFasterPointIsHigherAndAnIntenserOneFurtherRight() throws Exception {
        NodeList circles = circles();
        assertThat(circles.getLength()).as("three points, two in the legend").isEqualTo(5);
        assertThat(number(circles, 1, "cy")).isLessThan(number(circles, 0, "cy"));
        assertThat(number(circles, 1, "cx")).isGreaterThan(number(circles, 0, "cx"));
        assertThat(number(circles, 2, "cy")).isGreaterThan(number(circles, 0, "cy"));
        assertThat(number(circles, 2, "cx")).isEqualTo(number(circles, 0, "cx"));
    }

    @Test
    void enginesHaveColoursOfTheirOwn() throws Exception {
        NodeList circles = circles();
        String ours = ((Element) circles.item(0)).getAttribute("fill");
        assertThat(((Element) circles.item(1)).getAttribute("fill")).isEqualTo(ours);
        assertThat(((Element) circles.item(2)).getAttribute("fill")).isNotEqualTo(ours);
    }

    /** A text as a reader sees it, in 12-pixel type: half as wide as high a character, or more. */
    private static Rectangle2D extent(Element text) {
        String words = text.getTextContent();
        double x = Double.parseDouble(text.getAttribute("x"));
        double y = Double.parseDouble(text.getAttribute("y"));
        double width = 6.5 * words.length();
        double left =
                switch (text.getAttribute("text-anchor")) {
                    case "end" -> x - width;
                    case "middle" -> x - width / 2;
                    default -> x;
                };
        return new Rectangle2D.Double(left, y - 10, width, 13);
    }

    private static void assertNoTextCoversAnother(Roofline roofline) throws Exception {
        NodeList texts = elements(roofline, "text");
        for (int i = 0; i < texts.getLength(); i++) {
            Element one = (Element) texts.item(i);
            assertThat(extent(one).getMinY()).as(one.getTextContent()).isNotNegative();
            for (int j = 0; j < i; j++) {
                Element other = (Element) texts.item(j);
                assertThat(extent(one).intersects(extent(other)))
                        .as("%s over %s", one.getTextContent(), other.getTextContent())
                        .isFalse();
            }
        }
    }

    /** Decoding at two positions differs by a few percent; a prefill may lie on a roof's name. */
    @Test
    void labelsOfPointsThatAreCloseDoNotCoverEachOther() throws Exception {
        var roofline = new Roofline("A model", 30);
        roofline.ceiling("FP32", 1700);
        roofline.ceiling("int8", 1800);
        roofline.point("Flagship", "decode at 16", 2, 58);
        roofline.point("Flagship", "decode at 1,024", 2, 57.6);
        roofline.point("Flagship", "decode at 4,096", 2.1, 58.2);
        roofline.point("Flagship", "decode of 8", 2.5, 60);
        roofline.point("Flagship", "prefill", 40, 1790);
        roofline.point("Flagship", "a prefill with a long name", 2000, 11);
        roofline.point("llama.cpp", "decode", 2, 66);
        assertNoTextCoversAnother(roofline);
    }

    @Test
    void howeverManyPointsMeetEachLabelCanBeRead() throws Exception {
        Random random = new Random(3);
        var roofline = new Roofline("A model", 30);
        roofline.ceiling("FP32", 450);
        for (int i = 0; i < 15; i++) {
            roofline.point("Flagship", "work " + i, 8 + random.nextDouble(), 100 + i % 3);
        }
        assertNoTextCoversAnother(roofline);
    }
}
